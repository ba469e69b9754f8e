"""lmms-eval's own command on the task of examples/lmms_eval: `make test-recipes` installs it."""

from __future__ import annotations

import io
import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import sacrebleu
from PIL import Image

from tests.conftest import PROJECT
from tests.support.environments import find_tool
from tests.support.processes import HANG_SECONDS
from tests.support.raw import make_raw
from tests.support.repositories import all_rows, images_by_id

WORDS = ["chest", "axial", "view", "of", "a", "large", "mass", "in", "left", "lung", "with", "arrow", "and", "contrast"]
LINE_ENDS = ("\r\n", "\r", "\x0c", "\u2028", "\n")
"""At all but the last of them the tokenizer of the measures begins another line."""

MODEL = """
import json
from hashlib import sha256

from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest


class Simple(lmms):
    def __init__(self, answers, **kwargs):
        super().__init__()
        with open(answers) as file:
            self.answers = json.load(file)

    def look(self, arguments):
        question, _, doc_to_visual, row, task, split = arguments
        return question, doc_to_visual(self.task_dict[task][split][row])

    def generate_until(self, requests):
        answers = []
        for request in requests:
            question, (picture,) = self.look(request.args)
            assert question == "Write a caption for this radiology image.", question
            answers.append(self.answers[sha256(picture.tobytes()).hexdigest()])
        return answers

    def loglikelihood(self, requests):
        raise NotImplementedError

    generate_until_multi_round = loglikelihood


class Chat(Simple):
    is_simple = False

    def look(self, arguments):
        _, doc_to_messages, _, row, task, split = arguments
        (message,) = doc_to_messages(self.task_dict[task][split][row])
        assert message["role"] == "user"
        parts = {part["type"]: part for part in message["content"]}
        return parts["text"]["text"], [parts["image"]["url"]]


models = [
    ModelManifest("answers_simple", simple_class_path="answers.Simple"),
    ModelManifest("answers_chat", chat_class_path="answers.Chat"),
]
"""
"""Models of a plugin that know an answer for each picture, by its pixels."""

Evaluate = Callable[[str, dict[str, str]], dict[str, float]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captions of different words; some have two lines."""
    raw = make_raw(test=12)
    words = random.Random(0)
    for number, image in enumerate(raw.splits["test"]):
        image.caption = " ".join(words.sample(WORDS, 5 + number % 6))
        if number < len(LINE_ENDS):
            image.caption = image.caption.replace(" ", LINE_ENDS[number], 1)
    return raw.build(tmp_path_factory.mktemp("built") / "rocov2")


@pytest.fixture(scope="module")
def captions(built: Path) -> dict[str, str]:
    """Captions of test by image, in file order."""
    return {row["image_id"]: row["caption"] for row in all_rows(built)["default"]["test"]}


@pytest.fixture
def evaluate(built: Path, tmp_path: Path, environment: dict[str, str]) -> Evaluate:
    """Have lmms-eval ask a model, which answers what is told for each image, and give the measures of its table."""
    python = find_tool("lmms-eval") / "python"
    if shutil.which("java") is None:
        pytest.skip(
            "Java is not installed, which the tokenizer of pycocoevalcap needs: apt-get install default-jre-headless"
        )
    plugin = tmp_path / "plugin"
    (plugin / "answers-1.dist-info").mkdir(parents=True)
    (plugin / "answers-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: answers\nVersion: 1\n")
    (plugin / "answers-1.dist-info" / "entry_points.txt").write_text("[lmms_eval.models]\nanswers = answers:models\n")
    (plugin / "answers.py").write_text(MODEL)
    (tmp_path / "rocov2").symlink_to(built)
    pixels = {
        id: sha256(Image.open(io.BytesIO(data)).convert("RGB").tobytes()).hexdigest()
        for id, data in images_by_id(built).items()
    }

    def evaluate(model: str, answers: dict[str, str]) -> dict[str, float]:
        (tmp_path / "answers.json").write_text(json.dumps({pixels[id]: answer for id, answer in answers.items()}))
        command = [str(python), "-m", "lmms_eval", "--tasks", "rocov2_caption", "--model", model]
        command += ["--include_path", str(PROJECT / "examples" / "lmms_eval"), "--output_path", "results"]
        command += ["--model_args", f"answers={tmp_path / 'answers.json'}", "--log_samples"]
        # A home of its own: lmms-eval has caches there.
        own = environment | {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(plugin)}
        done = subprocess.run(
            command, cwd=tmp_path, env=own, capture_output=True, text=True, check=False, timeout=2 * HANG_SECONDS
        )
        assert done.returncode == 0, done.stderr
        told = re.findall(
            r"^\|rocov2_caption\|none +\| +0\|rocov2_(\w+) *\|↑ +\| *([\d.]+)\|", done.stdout, re.MULTILINE
        )
        (results,) = (tmp_path / "results").glob("**/*_results.json")
        exact = json.loads(results.read_text())["results"]["rocov2_caption"]
        measures = {name: exact[f"rocov2_{name},none"] for name in ("Bleu_4", "CIDEr", "ROUGE_L")}
        assert {name: float(value) for name, value in told} == pytest.approx(measures, abs=5e-5)
        return measures

    return evaluate


def rouge_l(reference: str, answer: str) -> float:
    """ROUGE-L of words, with the beta of pycocoevalcap."""
    told, said = reference.split(), answer.split()
    longest = [[0] * (len(said) + 1) for _ in range(len(told) + 1)]
    for i, word in enumerate(told):
        for j, other in enumerate(said):
            longest[i + 1][j + 1] = longest[i][j] + 1 if word == other else max(longest[i][j + 1], longest[i + 1][j])
    common = longest[-1][-1]
    if common == 0:
        return 0.0
    precision, recall = common / len(said), common / len(told)
    return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)


@pytest.mark.recipes
@pytest.mark.parametrize("model", ["answers_simple", "answers_chat"])
def test_lmms_eval_gives_a_model_that_tells_the_captions_all_points(
    model: str, evaluate: Evaluate, captions: dict[str, str], environment: dict[str, str]
) -> None:
    assert evaluate(model, captions) == {
        "Bleu_4": pytest.approx(1),
        "ROUGE_L": pytest.approx(1),
        "CIDEr": pytest.approx(10),
    }
    # Images of train are not read.
    assert [path.name for path in Path(environment["HF_HOME"]).glob("**/*.arrow")] == ["rocov2-test.arrow"]


@pytest.mark.recipes
def test_lmms_eval_measures_what_two_others_measure(evaluate: Evaluate, captions: dict[str, str]) -> None:
    texts = list(captions.values())
    answers = [texts[number - 1] if number % 3 else text for number, text in enumerate(texts)]
    answers[-1] = ""
    measures = evaluate("answers_simple", dict(zip(captions, answers, strict=True)))
    pairs = [(" ".join(text.split()), " ".join(answer.split())) for text, answer in zip(texts, answers, strict=True)]
    expected = sum(rouge_l(*pair) for pair in pairs) / len(pairs)
    assert 0.5 < expected < 0.9
    assert measures["ROUGE_L"] == pytest.approx(expected)
    references, said = zip(*pairs, strict=True)
    bleu = sacrebleu.corpus_bleu(list(said), [list(references)], tokenize="none", smooth_method="none")
    assert measures["Bleu_4"] == pytest.approx(bleu.score / 100)
    assert 0 < measures["CIDEr"] < 10
