"""What a repository says of itself: the card, its pictures, and croissant.json."""
