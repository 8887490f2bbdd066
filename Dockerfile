# A mock SSM On-Prem cluster in one container: one address, ports stand for servers. See docs/how-to/run-in-a-container.md.
FROM python:3.11-slim AS build
COPY . /src
RUN python -m venv /opt/smartlic && /opt/smartlic/bin/pip install --no-cache-dir "/src[server]"

FROM python:3.11-slim
LABEL org.opencontainers.image.title="smartlic-mock" \
      org.opencontainers.image.description="A mock SSM On-Prem cluster for tests. It authorizes no real product." \
      org.opencontainers.image.licenses="MIT"
RUN useradd --uid 10001 --no-create-home --home-dir /data smartlic && install -d -m 0700 -o smartlic /data
COPY --from=build /opt/smartlic /opt/smartlic
ENV PATH=/opt/smartlic/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SMARTLIC_MOCK_FOLDER=/data/cluster
USER smartlic
VOLUME /data
# Devices: the VIP, Primary, Secondary. Pages: the same.
EXPOSE 4443 4444 4445 8443 8444 8445
# A failover of its own is no illness: one server that serves is enough.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["smartlic-mock", "status", "--check"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["smartlic-mock"]
CMD ["up", "--address", "own", "--allow-remote"]
