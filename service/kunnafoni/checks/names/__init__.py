"""Names of a text, and whether another text has them: their forms, spellings and sounds in the three languages."""
