"""Functions of the lmms-eval task `rocov2_caption`.

The measures are those of pycocoevalcap, as in lmms-eval's own caption tasks; its tokenizer needs Java.
"""

from __future__ import annotations

from typing import Any

PROMPT = "Write a caption for this radiology image."
METRICS = ("Bleu_4", "ROUGE_L", "CIDEr")

Doc = dict[str, Any]
Result = dict[str, Any]


def doc_to_visual(doc: Doc) -> list[Any]:
    """The picture, in three channels: most are grey."""
    return [doc["image"].convert("RGB")]


def doc_to_text(doc: Doc, lmms_eval_specific_kwargs: dict[str, str] | None = None) -> str:
    """The question."""
    around = lmms_eval_specific_kwargs or {}
    return f"{around.get('pre_prompt', '')}{PROMPT}{around.get('post_prompt', '')}"


def doc_to_target(doc: Doc) -> list[str]:
    """The references: a list, since of a string each character would be one."""
    return [doc["caption"]]


def process_results(doc: Doc, results: list[str]) -> dict[str, Result]:
    """What the measures need of one image."""
    result = {"id": doc["image_id"], "prediction": results[0] if results else "", "references": doc_to_target(doc)}
    return {f"rocov2_{metric}": result for metric in METRICS}


def _tokenize(results: list[Result]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenizer = PTBTokenizer()
    references = {result["id"]: [_on_one_line(text) for text in result["references"]] for result in results}
    predictions = {result["id"]: [_on_one_line(result["prediction"])] for result in results}
    return tokenizer.tokenize(references), tokenizer.tokenize(predictions)


def _on_one_line(text: str) -> dict[str, str]:
    # The tokenizer gives lines back, and counts them: at a carriage return it would begin another, and from there on every
    # image would get the words of the one before.
    return {"caption": " ".join(text.split())}


def bleu_4(results: list[Result]) -> float:
    """BLEU-4 of the corpus."""
    from pycocoevalcap.bleu.bleu import Bleu

    return float(Bleu(4).compute_score(*_tokenize(results))[0][3])


def rouge_l(results: list[Result]) -> float:
    """Mean ROUGE-L."""
    from pycocoevalcap.rouge.rouge import Rouge

    return float(Rouge().compute_score(*_tokenize(results))[0])


def cider(results: list[Result]) -> float:
    """CIDEr, with the document frequencies of the references."""
    from pycocoevalcap.cider.cider import Cider

    return float(Cider().compute_score(*_tokenize(results))[0])
