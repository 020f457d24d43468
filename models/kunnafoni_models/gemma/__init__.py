"""The Gemma 3 decoder on ONNX Runtime: its sizes, weights file, computation graph and execution."""
