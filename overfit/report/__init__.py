"""What a study found, for people: the verdict in words, the table, the plots, the page."""
