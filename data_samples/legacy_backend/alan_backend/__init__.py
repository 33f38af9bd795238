"""The monitors of the ALAN backend."""
