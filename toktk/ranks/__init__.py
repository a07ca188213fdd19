"""Work in ranks: equal tasks that share nothing but a folder, on one machine or on many."""
