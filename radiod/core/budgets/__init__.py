"""What strangers share: bounds, rates, seats, and what is counted of them."""
