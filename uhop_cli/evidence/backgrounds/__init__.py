"""Transparent memories on any background: the colour behind a picture is a parameter, and is profiled out.

A stored picture of opacity alpha and premultiplied colours p, laid on an unknown colour b, is p + b m with m = 1 - alpha, b free in
each channel c. Two models of the pixels, x, follow:

    identity     x = p + b m + white noise:                  R = |x - p|^2 - sum_c <x_c - p_c, m>^2 / |m|^2
    affine k     k x k blocks, each x = a p + b m + offset of each channel + noise of its own level:
                 x and p are projected, channel by channel, off span{1, m}, to x~ and p~:
                                                             R = |x~|^2 - <x~, p~>+^2 / |p~|^2

with L = -sum_b (n_b/2) ln(R_b / n_b + q) as without opacity (`likelihoods`). What is stored is X = p + b0 m, on the background b0
of the memory: it differs from p by an element of the span, so that X~ = p~, and |x - p|^2 above is |x - X|^2 as well. A silhouette,
p proportional to alpha, has p~ = 0: it is told by m alone, and its colour cannot be known.

A memory whose background is free has parameters of its own, b and in blocks an offset for each channel instead of one for all. They
are charged to it, ln(d)/2 each (Schwarz 1978), since it is compared with memories that have none; and it may do without them: what
counts is the larger of both likelihoods. Beside the products of `likelihoods` all of this takes <x_c, m> in each block, one product
with the opacity, and a few sums over each memory (`opacity_sums`).
"""
