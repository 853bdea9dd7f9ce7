"""Lucky draws that anybody can compute again."""
