from __future__ import annotations

from pathlib import Path

import pytest
from attrs import fields
from platformdirs import user_data_path

from whispercore.errors import InvalidOption
from whispercore.files.bucket import Bucket
from whispercore.setting import load
from whispercore.settings import Settings
from whispercore_server.settings import ServerSettings

KEY = "k" * 32


def test_defaults() -> None:
    settings = load(ServerSettings, environ={}).settings
    data = user_data_path("whispercore") / "server"
    assert settings == ServerSettings(data=data)
    assert (settings.host, settings.port, settings.admin_key) == ("127.0.0.1", 8000, None)
    assert settings.database_url == f"sqlite+aiosqlite:///{data}/whispercore.db"
    assert (settings.max_direct_upload_bytes, settings.max_json_bytes) == (1 << 30, 1 << 20)
    assert settings.library == Settings()
    assert (settings.job_timeout_s, settings.max_retries, settings.cleanup_s) == (120 * 60, 3, 24 * 3600)


def test_a_file_for_server_and_library(tmp_path: Path) -> None:
    config = tmp_path / "whispercore.toml"
    config.write_text('data = "state"\nport = 9000\n[library]\nmodels_dir = "models"\nthreads = 3\n')
    loaded = load(ServerSettings, environ={"WHISPERCORE_THREADS": "4"}, config=config)
    assert loaded.settings.data == tmp_path / "state"
    assert loaded.settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/state/whispercore.db"
    assert loaded.settings.library == Settings(models_dir=tmp_path / "models", threads=4)
    # The library alone reads its own table of the same file.
    assert Settings.from_environment({"WHISPERCORE_CONFIG": str(config)}).threads == 3


@pytest.mark.parametrize("key", ["k" * 31, "k" * 201, "k" * 31 + "\n", "k" * 31 + " ", "k" * 31 + "é", ""])
def test_admin_keys_that_are_refused_and_not_shown(key: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption) as constructed:
        ServerSettings(admin_key=key)
    assert constructed.value.option == "admin_key"
    if not key.strip():
        return
    config = tmp_path / "x.toml"
    config.write_text(f"admin_key = {key!r}" if key.isprintable() else f'admin_key = "{"k" * 31}\\n"')
    with pytest.raises(InvalidOption, match=r"^admin_key in .*: it has ") as caught:
        load(ServerSettings, environ={}, config=config)
    assert "kkk" not in f"{caught.value}{caught.value!r}{constructed.value!r}"


def test_secrets_are_not_shown() -> None:
    environ = {"WHISPERCORE_ADMIN_KEY": KEY, "WHISPERCORE_DATABASE_URL": "postgresql://me:hush@db/x"}
    loaded = load(ServerSettings, environ=environ)
    assert loaded.settings.admin_key == KEY
    assert "hush" in loaded.settings.database_url
    for said in (repr(loaded), str(loaded.settings)):
        assert KEY not in said
        assert "hush" not in said
    shown = {value.name: value.shown for value in loaded.values}
    assert shown["admin_key"] == "set"
    assert shown["database_url"] == "postgresql://me:***@db/x"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WHISPERCORE_PORT", "65536"),
        ("WHISPERCORE_PORT", "http"),
        ("WHISPERCORE_SLOTS", "0"),
        ("WHISPERCORE_MAX_QUEUE", "0"),
        ("WHISPERCORE_SIGN_UP", "perhaps"),
        ("WHISPERCORE_MAX_DIRECT_UPLOAD_MB", "0"),
        ("WHISPERCORE_MAX_JSON_KB", "1.5"),
        ("WHISPERCORE_HOST", "a\nb"),
        ("WHISPERCORE_DATABASE_URL", "/srv/x.db"),
        ("WHISPERCORE_BLOBS", "tape"),
        ("WHISPERCORE_S3_BUCKET", "No_Bucket"),
        ("WHISPERCORE_S3_ENDPOINT", "minio:9000"),
        ("MINIO_PORT", "0"),
    ],
)
def test_values_that_cannot_work(variable: str, value: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        load(ServerSettings, environ={variable: value})
    assert caught.value.option == variable


@pytest.mark.parametrize(
    "environ",
    [
        {"MINIO_HOST": "minio", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b c"},
        {
            "WHISPERCORE_S3_ENDPOINT": "http://minio:9000/",
            "WHISPERCORE_S3_ACCESS_KEY": "a",
            "MINIO_ACCESS_KEY": "another",
            "WHISPERCORE_S3_SECRET_KEY": "b c",
        },
    ],
    ids=["minio", "ours first"],
)
def test_a_bucket_by_either_names(environ: dict[str, str]) -> None:
    loaded = load(ServerSettings, environ=environ)
    assert loaded.settings.bucket == Bucket(
        name="whispercore",
        endpoint="http://minio:9000",
        access_key="a",
        secret_key="b c",  # noqa: S106 (it opens nothing)
    )
    assert "b c" not in f"{loaded!r} {loaded.settings.bucket!r}"
    shown = {value.name: value.shown for value in loaded.values}
    assert (shown["blobs"], shown["s3_access_key"], shown["s3_secret_key"]) == ("auto", "set", "set")


def test_no_bucket_unless_it_is_asked_for() -> None:
    assert load(ServerSettings, environ={"WHISPERCORE_S3_BUCKET": "abc"}).settings.bucket is None
    assert load(ServerSettings, environ={"WHISPERCORE_BLOBS": "s3"}).settings.bucket == Bucket(name="whispercore")
    on_aws = {"WHISPERCORE_BLOBS": "s3", "WHISPERCORE_S3_ACCESS_KEY": "a"}
    assert load(ServerSettings, environ=on_aws).settings.bucket == Bucket(name="whispercore", access_key="a")
    kept = {"WHISPERCORE_BLOBS": "disk", "MINIO_HOST": "minio", "MINIO_ACCESS_KEY": "a"}
    assert load(ServerSettings, environ=kept).settings.bucket is None
    with pytest.raises(InvalidOption, match="auto, disk, s3"):
        ServerSettings(blobs="tape")


def test_what_seed_002_requires_is_enough() -> None:
    """Its hosts are localhost where they are not set: nothing goes to SQLite and the disk without being asked to."""
    environ = {"POSTGRES_PASSWORD": "p", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}
    settings = load(ServerSettings, environ=environ).settings
    assert settings.database_url == "postgresql+psycopg://whispercore:p@localhost:5432/whispercore"
    assert settings.bucket is not None
    assert settings.bucket.endpoint == "http://localhost:9000"


def test_a_folder_that_no_address_can_name() -> None:
    with pytest.raises(InvalidOption, match="question mark"):
        load(ServerSettings, environ={"WHISPERCORE_DATA": "/srv/why?"})


def test_every_setting_has_its_own_variable() -> None:
    own = [one for one in fields(ServerSettings) if one.name != "library"]
    variables = [one.metadata["variable"] for one in (*own, *fields(Settings))]
    assert len(set(variables)) == len(variables)
    assert all(one.metadata["help"].endswith(".") for one in own)
    assert all(one.metadata["variable"].startswith("WHISPERCORE_") for one in own)


def test_postgres_by_the_names_of_its_parts() -> None:
    environ = {"POSTGRES_HOST": "db", "POSTGRES_USER": "ann", "POSTGRES_PASSWORD": "a@b/c: d"}
    settings = load(ServerSettings, environ=environ).settings
    assert settings.database_url == "postgresql+psycopg://ann:a%40b%2Fc%3A%20d@db:5432/whispercore"
    assert settings.connections == (5, 20)
    assert "a%40b" not in repr(settings)
    assert "a@b" not in repr(settings)
    for host, url in (
        ("::1", "postgresql+psycopg://whispercore@[::1]:5432/whispercore"),
        ("/run/pg", "postgresql+psycopg://whispercore@/whispercore?host=%2Frun%2Fpg&port=5432"),
    ):
        assert load(ServerSettings, environ={"WHISPERCORE_POSTGRES_HOST": host}).settings.database_url == url
    told = {"POSTGRES_HOST": "db", "WHISPERCORE_DATABASE_URL": "sqlite+aiosqlite:////srv/w.db"}
    assert load(ServerSettings, environ=told).settings.database_url == told["WHISPERCORE_DATABASE_URL"]
    with pytest.raises(InvalidOption, match="max_connections"):
        ServerSettings(max_connections=4)


@pytest.mark.parametrize("host", ["minio:9000", "http://minio", "minio/x", "::1"])
def test_a_host_of_the_store_is_a_name_only(host: str) -> None:
    """Together with the port it would be an address that its client breaks down at."""
    with pytest.raises(InvalidOption, match=r"MINIO_HOST|s3_host"):
        load(ServerSettings, environ={"MINIO_HOST": host})


@pytest.mark.parametrize("host", ["minio", "127.0.0.1", "[::1]", "Minio.example.com"])
def test_what_is_a_host_of_the_store(host: str) -> None:
    settings = load(ServerSettings, environ={"MINIO_HOST": host}).settings
    assert settings.s3_endpoint == f"http://{host}:9000"
