"""Training: corpus, vocabulary, trainer, export. Behind the extra `train`; serving never imports it."""
