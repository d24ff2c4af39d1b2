# Installation: components kernels, ops, nn.
