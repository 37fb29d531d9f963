from pathlib import Path

import pytest
from pydantic import ValidationError

from kgrec.config import Config, TrainConfig
from kgrec.encode.config import EncoderConfig
from kgrec.errors import ConfigError


def wrong(settings: list[str], path: Path | None = None) -> tuple[str, str]:
    """Both lines of the error."""
    with pytest.raises(ConfigError) as raised:
        Config.read(path, settings)
    return raised.value.problem, raised.value.remedy


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_settings_all_options_are_defaults():
    config = Config.read()
    assert config == Config()
    assert (config.text.model, config.encoder.dim, config.train.seed) == ("minilm", 256, 0)


def test_settings_by_full_and_by_short_name():
    config = Config.read(settings=["encoder.dim=64", "epochs=3", " learning_rate = 1e-3", "text.model=none"])
    assert config.encoder.dim == 64 and config.text.model == "none"
    assert (config.train.epochs, config.train.learning_rate) == (3, 0.001)


def test_settings_override_the_file(tmp_path):
    path = written(tmp_path, "encoder: {dim: 32}\ntrain:\n  epochs: 5\n  temperature: 0.2\n")
    config = Config.read(path, ["dim=16", "temperature=null"])
    assert (config.encoder.dim, config.train.epochs, config.train.temperature) == (16, 5, None)
    assert Config.read(str(path)).encoder.dim == 32


def test_an_empty_file_is_the_default(tmp_path):
    assert Config.read(written(tmp_path, "# nothing yet\n")) == Config()


def test_every_option_has_a_docstring_in_its_section():
    """The reference in the docs is made from these."""
    import ast
    import inspect

    for section in (EncoderConfig, TrainConfig, Config):
        body = ast.parse(inspect.getsource(section)).body[0].body
        for at, node in enumerate(body):
            if isinstance(node, ast.AnnAssign):
                follows = body[at + 1]
                assert isinstance(follows, ast.Expr) and isinstance(follows.value, ast.Constant), (
                    node.target.id
                )


def test_unknown_names_are_refused_with_the_nearest():
    problem, remedy = wrong(["epoch=3"])
    assert problem == "There is no option 'epoch'."
    assert remedy.startswith("Did you mean 'epochs'")
    problem, remedy = wrong(["train.learningrate=3"])
    assert problem == "There is no option 'train.learningrate'."
    assert remedy.startswith("Did you mean 'train.learning_rate'")


def test_a_setting_needs_an_equals_sign():
    assert wrong(["dim"]) == ("'dim' is not a setting.", "Write it as name=value, for example dim=256.")


def test_a_name_of_two_sections_is_ambiguous():
    assert wrong(["threads=1"]) == (
        "'threads' may mean train.threads or index.threads.",
        "Write the full name.",
    )
    assert wrong(["batch_size=8"]) == (
        "'batch_size' may mean text.batch_size or train.batch_size.",
        "Write the full name.",
    )


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("dim=0", "encoder.dim is 0: input should be greater than or equal to 1."),
        ("identity_dropout=1.5", "encoder.identity_dropout is 1.5: input should be less than or equal to 1."),
        ("learning_rate=0", "train.learning_rate is 0: input should be greater than 0."),
        ("history_dropout=1", "train.history_dropout is 1: input should be less than 1."),
        ("valid_by=user", "train.valid_by is 'user': input should be 'auto', 'random' or 'time'."),
        ("train.threads=0", "train.threads is 0: input should be a whole number, 1 or more, 'idle' or null."),
        (
            "train.threads=busy",
            "train.threads is 'busy': input should be a whole number, 1 or more, 'idle' or null.",
        ),
        (
            "train.threads=true",
            "train.threads is True: input should be a whole number, 1 or more, 'idle' or null.",
        ),
        ("seed=-1", "train.seed is -1: input should be greater than or equal to 0."),
        (
            "dim=wide",
            "encoder.dim is 'wide': input should be a valid integer, unable to parse string as an integer.",
        ),
    ],
)
def test_a_value_out_of_range_is_named_with_its_option(setting, problem):
    assert wrong([setting]) == (f"The configuration: {problem}", "Change the value.")


def test_a_setting_that_is_not_yaml_is_named():
    problem, remedy = wrong(["dim=[1"])
    assert problem == "'dim=[1': '[1' is not a plain value."
    assert remedy == "Put the value in quotes: name='value'."


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("train: {epoch: 3}\n", "there is no option 'train.epoch'.", "Did you mean 'epochs'?"),
        ("trian: {epochs: 3}\n", "there is no option 'trian'.", "Did you mean 'train'?"),
        (
            "train: {epochs: 0}\n",
            "train.epochs is 0: input should be greater than or equal to 1.",
            "Change the value.",
        ),
        (
            "epochs: 3\n",
            "must hold sections of options.",
            "Sections are text, encoder, train, index, rescore.",
        ),
        ("[1, 2]\n", "must hold sections of options.", "Sections are text, encoder, train, index, rescore."),
    ],
)
def test_invalid_files_are_refused(tmp_path, text, problem, remedy):
    path = written(tmp_path, text)
    assert wrong([], path) == (f"{path}: {problem}", remedy)


@pytest.mark.parametrize("content", [b"train: {epochs: [\n", b"train: \xff\n", b"train: *none\n"])
def test_a_file_that_is_not_yaml(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    problem, remedy = wrong([], path)
    assert (
        problem.startswith(f"{path}: is not YAML (") and "\n" not in problem and remedy == "Correct the file."
    )


def test_a_missing_file(tmp_path):
    path = tmp_path / "absent.yaml"
    assert wrong([], path) == (
        f"{path}: cannot be read (No such file or directory).",
        "Give the path of a YAML file.",
    )


def test_a_wrong_setting_is_not_blamed_on_the_file(tmp_path):
    path = written(tmp_path, "encoder: {dim: 32}\n")
    assert (
        wrong(["dim=0"], path)[0]
        == "The configuration: encoder.dim is 0: input should be greater than or equal to 1."
    )


def test_a_configuration_is_frozen_and_refuses_unknown_options():
    with pytest.raises(ValidationError):
        Config().encoder.dim = 3
    with pytest.raises(ConfigError) as caught:
        TrainConfig(epoch=3)
    assert caught.value.problem == "TrainConfig: there is no option 'epoch'."
    assert caught.value.remedy == "Did you mean 'epochs'?"


@pytest.mark.parametrize(
    ("section", "values", "problem"),
    [
        (TrainConfig, {"epochs": 1.5}, "TrainConfig: epochs is 1.5: input should be a valid integer"),
        (TrainConfig, {"epochs": True}, "TrainConfig: epochs is True: input should be a number."),
        (TrainConfig, {"learning_rate": float("nan")}, "TrainConfig: learning_rate is nan: input should be"),
        (
            TrainConfig,
            {"search_seconds": float("inf")},
            "TrainConfig: search_seconds is inf: input should be a finite",
        ),
        (TrainConfig, {"valid_by": "Time"}, "TrainConfig: valid_by is 'Time': input should be 'auto', "),
        (
            Config,
            {"encoder": {"dim": "many"}},
            "Config: encoder.dim is 'many': input should be a valid integer",
        ),
        (Config, {"encoder": {"dims": 3}}, "Config: there is no option 'encoder.dims'."),
        (Config, {"text": None}, "Config: text is None: input should be a valid dictionary or instance of"),
    ],
)
def test_a_section_made_in_python_names_its_wrong_option(section, values, problem):
    with pytest.raises(ConfigError) as caught:
        section(**values)
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("setting", "threads"), [("null", None), ("idle", "idle"), ("3", 3)], ids=["all", "idle", "three"]
)
def test_threads_of_training_are_a_number_or_a_rule(setting, threads):
    config = Config.read(settings=[f"train.threads={setting}"])
    assert config.train.threads == threads
    # as a model's folder keeps it
    assert Config.model_validate(config.model_dump()).train.threads == threads
