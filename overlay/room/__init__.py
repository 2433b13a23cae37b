"""What the room does with incidents: each a commit of its own, logged, and seen by everyone at once."""
