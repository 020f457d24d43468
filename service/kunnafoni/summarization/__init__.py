"""From an article to its parts: what it holds, what a model reads of it, a summary that holds, an edition."""
