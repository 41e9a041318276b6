"""What is known about models before they are called: public tables, how they think, the forms of document models."""
