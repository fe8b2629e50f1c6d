"""Every setting of the product, read once from `FAHR_*` environment variables into one frozen object."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.errors import SettingsError


class Settings(BaseSettings):
    """The settings of one process. Built by `load_settings`; never changed afterwards."""

    model_config = SettingsConfigDict(
        env_prefix="FAHR_", frozen=True, extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    home: Path = Path(".fahr")
    """Folder of everything the product writes: landing zone, staged scores, reports, embedded warehouse. Mode 0700."""

    warehouse_url: SecretStr | None = None
    """PostgreSQL URL of the warehouse. Unset: an embedded server is started under `home`."""

    photo_root: Path | None = None
    """Root of the photo share that `hospital.photo_manifest` points into. Unset: `home`/hospital/photos."""

    dicom_root: Path | None = None
    """Folder of DICOM photographs. Unset: `home`/hospital/dicom, where that exists and no PACS is set."""

    pacs_url: str | None = None
    """DICOMweb root of the PACS: `https://…`; without encryption only on this machine."""

    pacs_dimse: str | None = None
    """A PACS without DICOMweb: `AETITLE@host:port`, asked by C-FIND and C-GET."""

    pacs_aet: str = "FAHR"
    """Our own AE title, where `pacs_dimse` is set."""

    pacs_user: str | None = None
    """User of HTTP basic authentication at the PACS."""

    pacs_password: SecretStr | None = None
    """Password of that user."""

    pacs_token: SecretStr | None = None
    """Bearer token for the PACS, instead of user and password."""

    pacs_ca_file: Path | None = None
    """PEM file of the authorities that may sign the certificate of the PACS. Unset: those the machine trusts."""

    pacs_modalities: str = "XC"
    """Modalities whose objects are photographs, separated by commas."""

    pacs_connections: int = Field(default=8, ge=1, le=64)
    """Connections to the PACS at once, all workers together."""

    pacs_timeout_seconds: float = Field(default=30, gt=0)
    """How long the PACS may keep silent: to connect, and between two pieces of an answer. A whole answer may take ten
    times as long."""

    pacs_relist_nights: int = Field(default=1, ge=1)
    """A study whose entry at the PACS is unchanged is listed photo by photo once in so many nights."""

    spark_master: str = "local[*]"
    """Where Spark runs: `local[N]`, `spark://…`, `yarn`, `k8s://…`."""

    spark_memory: str = "1g"
    """Heap of the Spark driver (and of each executor on a cluster), in Spark's notation."""

    model: str | None = None
    """The model release to score with: a name (shipped, or under `home`/models) or the path of a release folder. Unset:
    the release that was promoted last; before any promotion, the one that ships."""

    pull_batch_bytes: int = Field(default=16 * 2**20, ge=2**20)
    """Bytes of photos a puller holds in one Arrow batch; one photo larger than this travels alone."""

    max_photo_bytes: int = Field(default=128 * 2**20, ge=2**20)
    """A larger file is not read: reason `file_too_large`."""

    score_batch_size: int = Field(default=16, ge=1)
    """Photos in one forward pass of the networks."""

    score_device: str = "auto"
    """`auto` (the GPU that Spark assigns, else the CPU), `cpu` or `cuda`."""

    min_accepted_share: float = Field(default=0.5, ge=0, le=1)
    """The night stops when a smaller share of the photos to validate is accepted."""

    volume_drop_share: float = Field(default=0.1, ge=0, le=1)
    """The night stops when fewer photos than this share of the recent median arrive (after seven nights of history)."""

    concepts: Path | None = None
    """Folder of the hospital's own concept sets, one YAML file a set; a set that is not there is the shipped one."""

    death_rules: Path | None = None
    """The hospital's own YAML file of whom to believe about a death. Unset: schemas/registry/deaths.yaml."""

    comparison_days: int = Field(default=7, ge=1)
    """Nights from one full comparison of a source with the ledger to the next: it finds what was deleted or redated."""

    withdrawn_share: float = Field(default=0.1, ge=0, le=1)
    """The night stops when a source no longer has a larger share of its photos (from 21 photos on)."""

    landing_days: int | None = Field(default=None, ge=1)
    """Days after their night for which landed bytes are kept; scores stay. Unset: for ever."""

    archive_photos: int = Field(default=10_000, ge=0)
    """Photos that a new model scores of the archive each night, after the night's own are published."""

    omop_first_concept_id: int | None = Field(default=None, ge=2_000_000_001, le=2**31 - 1000)
    """First of the thousand concept ids `fahr omop write` may use. Unset: that of schemas/written_concepts.yaml."""

    pseudonym_key: SecretStr | None = Field(default=None, min_length=32)
    """Key of researchers' pseudonyms, 32 characters or more, never in the database. Unset: no pseudonyms are made."""

    pseudonym_key_file: Path | None = None
    """File that holds that key, instead."""

    date_shift_days: int = Field(default=182, ge=30, le=3650)
    """Researchers see each person's dates shifted by at most so many days, either way, always the same."""

    small_cell: int = Field(default=10, ge=1)
    """Researchers' views suppress counts below this."""

    show_traceback: bool = False
    """Show the whole traceback of a defect. For development: messages of libraries may quote data."""

    @property
    def landing(self) -> Path:
        """The landing zone: one Parquet data set, one immutable partition a pull."""
        return self.home / "landing"

    @property
    def staged(self) -> Path:
        """Scores of runs that are not published yet, one folder a run."""
        return self.home / "staged"

    @property
    def staged_archive(self) -> Path:
        """Scores of the archive by runs that are not published yet, one folder a run."""
        return self.home / "staged_archive"

    @property
    def models(self) -> Path:
        """The hospital's own model releases, trained here or imported, one folder a release."""
        return self.home / "models"

    @property
    def data_docs(self) -> Path:
        """Great Expectations' pages about the last validations."""
        return self.home / "data_docs"

    @property
    def reports(self) -> Path:
        """The HTML reports, one a night."""
        return self.home / "reports"

    @property
    def share(self) -> Path:
        """The resolved root of the photo share."""
        return (self.photo_root or self.home / "hospital" / "photos").resolve()

    @property
    def dicom_folder(self) -> Path | None:
        """The folder of DICOM photographs, where there is one."""
        if self.dicom_root is None and (self.pacs_url or self.pacs_dimse):
            return None
        folder = self.dicom_root or self.home / "hospital" / "dicom"
        return folder.resolve() if self.dicom_root or folder.is_dir() else None


def load_settings() -> Settings:
    """Read the settings from the environment and make `home` (mode 0700).

    Raises:
        SettingsError: a variable has a value that its setting cannot take; the message names the variable only.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        names = ", ".join(sorted({"FAHR_" + str(problem["loc"][0]).upper() for problem in error.errors()}))
        raise SettingsError(
            f"The settings {names} have values that cannot be used.", next_step="See docs/operations.md, Settings."
        ) from None
    settings = settings.model_copy(update={"home": settings.home.resolve()})
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings
