"""What membership refuses, in words."""
