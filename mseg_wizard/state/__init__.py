"""What is known of a destination from one start to the next, and the lock that lets one wizard change it."""
