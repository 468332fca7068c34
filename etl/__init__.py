"""The write side: public figures from a publisher's file into the database, each with its receipt."""
