"""What a network reads when few pictures have labels, and what makes up for the missing ones."""
