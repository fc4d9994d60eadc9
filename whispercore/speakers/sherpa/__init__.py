"""sherpa-onnx: segmentation and voice embeddings by ONNX Runtime, in a child process."""
