"""The names this package offers. Listing them imports none of what they point at."""
