"""What happens to text before it is cut."""
