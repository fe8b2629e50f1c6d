# The jobs image: the `fahr` command line, Spark, and the DAGs with the Airflow that runs them. Java comes as a wheel.
# Build:  docker build -t fahr .
# Run:    docker run --rm -v fahr-home:/var/lib/fahr -v /share:/photos:ro -e FAHR_WAREHOUSE_URL fahr nightly
FROM python:3.11-slim

RUN useradd --system --uid 10001 --create-home --home-dir /home/fahr fahr \
    && install -d -o fahr -g fahr -m 0700 /var/lib/fahr

WORKDIR /opt/fahr

# The lock first: it changes seldom, and everything heavy comes from it. Every file is checked against its hash.
COPY requirements/uv.txt requirements/requirements.lock requirements/
RUN python -m venv .venv \
    && .venv/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements/uv.txt \
    && .venv/bin/uv pip install --no-cache --python .venv/bin/python --require-hashes --no-deps -r requirements/requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY model model
COPY schemas schemas
COPY jobs jobs
COPY dags dags
RUN .venv/bin/uv pip install --no-cache --python .venv/bin/python --no-deps --no-build-isolation --editable .

ENV PATH=/opt/fahr/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    FAHR_HOME=/var/lib/fahr \
    NUMBA_CACHE_DIR=/var/lib/fahr/numba \
    FAHR_PHOTO_ROOT=/photos \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/fahr/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
    SCARF_ANALYTICS=false \
    DO_NOT_TRACK=1

VOLUME /var/lib/fahr
USER fahr
ENTRYPOINT ["fahr"]
CMD ["--help"]
