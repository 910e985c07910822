"""Field logs: what the box's core saw and decided, played again."""
