"""DataModules: images in class groups, with their concept bank and class prompts."""

from mkbench.datamodules.base import ClassGroupDataModule
from mkbench.datamodules.class_groups import ClassGroup
from mkbench.datamodules.critters import Critters
from mkbench.datamodules.food101 import Food101
from mkbench.datamodules.huggingface import HuggingFace
from mkbench.datamodules.image_folder import ImageFolder
from mkbench.datamodules.imagenet import ImageNet
from mkbench.datamodules.places365 import Places365
from mkbench.datamodules.unlabelled_folder import UnlabelledFolder
from mkbench.datamodules.webdataset import WebDataset

__all__ = [
    "ClassGroup",
    "ClassGroupDataModule",
    "Critters",
    "Food101",
    "HuggingFace",
    "ImageFolder",
    "ImageNet",
    "Places365",
    "UnlabelledFolder",
    "WebDataset",
]
