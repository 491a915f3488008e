"""The sample ward: twelve beds and a day of their messages, made from a seed. All of it is synthetic."""
