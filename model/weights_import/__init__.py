"""Weights from elsewhere: checkpoint files in the published, MAE or timm layout, converted in a limited process.

names     the weights of a checkpoint under the names of published ViT checkpoints, whatever names they came with
shapes    width, depth, MLP, patch and image size, inferred from the weights' shapes; what does not fit is refused
heads     the one linear layer that is left over
pixels    weights of a network that was fed differently normalised pixels, or larger faces
reading   a file's tensors, by `torch.load(weights_only=True)` or safetensors
child     all of this in one process of its own, under limits
process   what a caller uses: starts that process and takes its answer
"""
