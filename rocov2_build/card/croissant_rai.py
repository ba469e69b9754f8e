"""What is known about the making and the use of the data: the fields of Croissant's RAI vocabulary.

Sources: Rückert et al., Scientific Data 11:688 (2024), the releases' own files, and LICENSE.md. What no source states (who
annotated, agreement, when) is left out. https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html
"""

from __future__ import annotations

import rocov2
from rocov2_build.raw.releases import LATEST, RELEASES

# Numbers are those that the latest release publishes, by which the others are known.
_RELEASE = RELEASES[LATEST]
_NAME = f"release {_RELEASE.name}"
_IMAGES, _TRAIN = sum(_RELEASE.images.values()), _RELEASE.images["train"]
_CONCEPTS = sum((_RELEASE.concepts or {}).values())
_MANUAL = _RELEASE.train_manual or {}
_LABELLED = {
    column: sum(_MANUAL.get(cui or "", 0) for cui in labels.values()) for column, labels in rocov2.LABELS.items()
}
_XRAYS = _MANUAL[str(rocov2.MODALITIES["X-ray"])]
_SHARES = [(modality, f"{100 * _MANUAL[cui] / _TRAIN:.1f} %") for modality, cui in rocov2.MODALITIES.items() if cui]

RAI = {
    "dataCollection": (
        "Images and captions are those of articles in the PubMed Central Open Access Subset: 15,474,253 images were "
        "extracted. A model for compound figures (accuracy about 90 %) removed 15,315,657, one for radiology images "
        "(98.6 %) 64,831. Then 10,392 whose article is under neither CC BY nor CC BY-NC were removed, 2,056 duplicates, and "
        f"1,528 whose caption is not English or too short. {_IMAGES:,} are left."
    ),
    "dataCollectionType": ["Secondary Data Analysis", "Software Collection"],
    "dataCollectionRawData": (
        "Figures of scientific articles as JPEG, and their captions. Each row names its article (pmcid, url)."
    ),
    "dataCollectionMissingData": (
        f"Images that combine several modalities have no curated concepts ({_MANUAL['']:,} in train of {_NAME}). Body region "
        f"and direction are those of X-rays alone, and not of all: {_LABELLED['region']:,} of the {_XRAYS:,} X-rays in train "
        f"have a region, {_LABELLED['direction']:,} a direction. The release's mapping has no name for some concepts. The "
        "versions of the Creative Commons licences, and patients' age, sex and origin, are in no column."
    ),
    "dataPreprocessingProtocol": [
        "Release: filtering by models and by licence, removal of duplicates and of captions without content, as described "
        "in dataCollection.",
        "This repository: JPEGs, captions and concepts are those of the release, byte for byte; nothing is stripped or "
        "merged. Only the configurations small and mini, where they exist, have adaptations of the JPEGs: scaled down, "
        "turned upright, encoded again, without metadata. Modality, region and direction are read from the curated concepts, "
        "licence and attribution from the release's table of licences.",
    ],
    "dataAnnotationProtocol": (
        "Concepts (UMLS CUIs) are the union of two lists. Curated: the modality of every image that does not combine "
        "several, and for X-rays body region and direction; additionally evaluated by a radiologist. Automatic: what MedCAT "
        "found in the caption."
    ),
    "machineAnnotationTools": ["MedCAT 1.10.0"],
    "annotationsPerItem": (
        f"{_CONCEPTS / _IMAGES:.2f} concepts an image on average ({_CONCEPTS:,} in all of {_NAME}); at least one."
    ),
    "personalSensitiveInformation": (
        "Medical images and captions of published, openly licensed articles. A caption may repeat what its article says of a "
        "patient, such as age, sex or findings. No column names a patient, and no step of this repository removes anything."
    ),
    "dataBiases": [
        "Published case reports and studies: rare and striking findings are over-represented.",
        f"In train of {_NAME} the images are {', '.join(f'{share} {modality}' for modality, share in _SHARES)}.",
        "All captions are English.",
    ],
    "dataLimitations": [
        "Automatic concepts are a program's matches in captions, with errors and gaps: a missing concept does not prove "
        "that the picture does not show it.",
        "Some pictures contain arrows, letters or text; a few are drawings or show animals.",
        "Captions repeat phrases, refer to other panels, and name findings that only their article explains.",
        "The splits are by image, not by article: article_in_other_split marks articles that are in several; train of the "
        "configuration apart has none of them.",
        "The pictures are 8-bit figures of articles, not DICOM: without window, spacing and bit depth.",
        "Evaluation images of ImageCLEFmedical Caption (2024 and later) overlap with the dataset.",
        "Do not base clinical decisions on the dataset.",
    ],
    "dataUseCases": [
        "Captioning of radiology images.",
        "Multi-label classification by UMLS concepts; classification of modality, body region and direction.",
        "Pre-training of medical models, and evaluation of multi-task learning.",
    ],
    "dataReleaseMaintenancePlan": (
        "Releases are records on Zenodo and do not change. Release 2.0.1 is release 1 less 291 images, not renumbered."
    ),
}
"""By key of the vocabulary, without its prefix `rai:`."""
