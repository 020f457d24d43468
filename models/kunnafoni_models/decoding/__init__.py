"""How tokens become outputs: continuous batching over KV-cache slots, greedy and beam search, stop conditions."""
