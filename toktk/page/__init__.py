"""The page: one HTML file that shows a run, works offline, and sends no request."""
