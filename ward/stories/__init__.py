"""The twelve beds. Five tell a story; the others are a ward's ordinary day. Texts were written for Vigil."""
