"""docs/rules.md, generated: the rules are played, and what they do is written down."""
