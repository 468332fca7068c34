"""Attacks on the app, each of which it has to withstand: on its links, its actions, its files, its sign-in."""
