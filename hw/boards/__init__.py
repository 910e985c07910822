"""Boards as data: each file tells the pins and how to wire them."""
