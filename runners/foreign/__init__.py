"""Numbers that other programs have printed or published: a module per format, and what they have in common."""
