"""Where replicas lie, whose credentials are used, and what is imported when."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_rewind.errors import InvalidInput, RewindError, Unavailable
from jupyter_rewind.store.replica.address import open_objects, parse_address
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.object_servers import Server


@pytest.fixture
def proxy(moto: Server) -> Iterator[FaultProxy]:
    with fault_proxy(moto.endpoint) as proxy:
        yield proxy


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's ~/.aws, and nothing in the environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "credentials"
    path.write_text(
        "[default]\naws_access_key_id = of-default\naws_secret_access_key = secret-of-default\n"
        "[work]\naws_access_key_id = of-work\naws_secret_access_key = secret-of-work\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    return path


def use(proxy: FaultProxy) -> set[str]:
    """Whose key signs what is asked of a replica."""
    address = parse_address(f"s3://rewind/keys?endpoint={proxy.endpoint}&region=us-east-1")
    open_objects(address).folders("refs/")
    return proxy.signed_by


def test_the_environment_comes_first(
    proxy: FaultProxy, profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As everywhere on the provider's side."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert use(proxy) == {"of-environment"}


def test_profiles_are_found_with_boto3(proxy: FaultProxy, profiles: Path) -> None:
    """AWS_PROFILE names one."""
    assert use(proxy) == {"of-work"}


def test_profiles_are_found_without_boto3(
    proxy: FaultProxy, profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same ones, where they hold keys."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert use(proxy) == {"of-work"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/a/folder",
        "s3:///no-bucket",
        "gs:///no-bucket",
        "gs://bucket/prefix?region=x",
        "gs://bucket/prefix?service_account_key=hunter2",
        "az://container/prefix?sas_token=hunter2",
        "az://account:hunter2@container/prefix",
        "s3://bucket/prefix?account=x",
        "ftp://host/prefix",
        "file://host/share",
        "file:///",
        "s3://bucket/p?secret_access_key=hunter2",
        "s3://user:hunter2@bucket/p",
        "s3://bucket/p?endpoint=ftp://host",
        "s3://bucket/p?endpoint=https://user:hunter2@host",
        "s3://bucket/p#hunter2",
        "s3://AKIA:hun/ter2hunter2@bucket/p",
        "az://account:hun/ter2/hunter2==@container/prefix",
        "s3://bucket/p?endpoint=https://user:hun/hunter2@host",
        "s3://[hunter2/p",
        "s3://bucket/a hunter2",
        "s3://bucket/hunter2,",
        "s3://bucket/a,s3://bucket/hunter2",
        "file:///media/hunter2,",
        "s3://bucket/p?endpoint=https://[hunter2",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """In words, and without a secret that may stand in it."""
    with pytest.raises(InvalidInput) as caught:
        parse_address(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["/media/ada/My Disk", "~/My Disk", "C:\\My Disk", "/media/ada/x"])
def test_a_path_is_told_how_a_folder_is_written(text: str) -> None:
    """With spaces in it or without, it is no word about object storage."""
    with pytest.raises(InvalidInput, match="not an address of a replica") as caught:
        parse_address(text)
    assert "file:///a/folder" in caught.value.hint


def test_the_scheme_of_a_folder_may_be_in_capitals() -> None:
    """With spaces in the folder's name, too."""
    assert parse_address("FILE:///media/ada/My Disk").prefix == "/media/ada/My Disk"


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_each_providers_address_is_understood(scheme: str) -> None:
    """Bucket and prefix; opening asks nothing of the provider yet."""
    options = "?account=mine" if scheme == "az" else ""
    address = parse_address(f"{scheme}://bucket/some/prefix{options}")
    assert (address.scheme, address.bucket, address.prefix) == (scheme, "bucket", "some/prefix")
    assert open_objects(address).place == address.url


def test_credentials_of_other_providers_are_found_and_not_told(
    moto: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where their own tools find them; a server that refuses them is told without them."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "aHVudGVyMmh1bnRlcjI=")
    address = parse_address(f"az://rewind/p?account=mine&endpoint={moto.endpoint}/mine")
    with pytest.raises(RewindError) as caught:
        open_objects(address, hasty=True).get("rewind-replica")
    assert "aHVudGVyMm" not in str(caught.value) and "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_environment_may_name_the_server(
    name: str, moto: Server, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does for Amazon's own tools, one without TLS as well."""
    monkeypatch.setenv(name, moto.endpoint)
    objects = open_objects(parse_address("s3://rewind/by-environment?region=us-east-1"), hasty=True)
    assert objects.create(name, b"x")


def test_a_bucket_that_is_not_there_is_told(moto: Server, keys: dict[str, str]) -> None:
    """It is no replica that is still empty, nor a server that is away."""
    objects = open_objects(parse_address(moto.url("p").replace("/rewind/", "/no-such/")))
    with pytest.raises(Unavailable, match="no such bucket"):
        objects.get("rewind-replica")


def test_names_that_look_like_logins_are_names() -> None:
    """An @ may stand in a prefix, and in the name of a folder; a port is no password."""
    assert parse_address("s3://bucket/ada@example.org/x").prefix == "ada@example.org/x"
    assert parse_address("file:///mnt/ada@host/x:y@z").prefix == "/mnt/ada@host/x:y@z"


def test_a_folder_may_have_any_name() -> None:
    """Spaces and letters of all languages."""
    place = Path("/mnt/my disk/données")
    assert parse_address(place.as_uri()).prefix == str(place)


def test_nobody_imports_it_who_does_not_use_it() -> None:
    """Saving, and a kernel, know nothing of object storage."""
    program = (
        "import sys, jupyter_rewind.kernel, jupyter_rewind.workspace, jupyter_rewind.faces.cli.app,"
        " jupyter_rewind.faces.server.app\n"
        "from jupyter_rewind.faces.ipython import extension\n"
        "late = {'obstore', 'boto3', 'jupyter_rewind.replication',"
        " 'jupyter_rewind.store.replica.push', 'jupyter_rewind.store.replica.cloud'}\n"
        "sys.exit(str(late & sys.modules.keys()) if late & sys.modules.keys() else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_without_obstore_the_way_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder needs nothing; a bucket says what it needs."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    open_objects(parse_address("file:///tmp"))
    with pytest.raises(InvalidInput, match="obstore") as caught:
        open_objects(parse_address("s3://bucket/prefix"))
    assert "jupyter-rewind[replica]" in caught.value.hint
