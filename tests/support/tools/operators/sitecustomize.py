"""Declares two operators of torchvision that no test needs, so that it can be imported beside another build of torch.

Python imports this by itself at its start. torchvision's compiled part fits one build of torch only, and there is none for
every one; where it does not load, importing torchvision ends in `operator torchvision::nms does not exist`.
"""

from __future__ import annotations

import torch

library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
