// Writes to standard output what the CloudEvents SDK for JavaScript makes of some events, in every mode.
// How to run it stands in README.md.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { CloudEvent, HTTP, Kafka } = createRequire(import.meta.url)("cloudevents");

const events = JSON.parse(readFileSync(new URL("events.json", import.meta.url), "utf-8"));

function text(value) {
  // Kafka clients are given text or bytes: turning an object into JSON is left to whoever calls the SDK.
  return typeof value === "string" ? value : JSON.stringify(value);
}

function stated(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}

const made = events.map((event) => {
  const { type, id, source, player, ts, ...data } = event;
  const cloudEvent = new CloudEvent({
    specversion: "1.0",
    type: `tiltwatch.${type}`,
    id,
    source,
    subject: player,
    time: ts,
    datacontenttype: "application/json",
    partitionkey: player,
    data,
  });
  const [httpBinary, httpStructured] = [HTTP.binary(cloudEvent), HTTP.structured(cloudEvent)];
  const [kafkaBinary, kafkaStructured] = [Kafka.binary(cloudEvent), Kafka.structured(cloudEvent)];
  return {
    http_binary: { headers: stated(httpBinary.headers), body: text(httpBinary.body) },
    http_structured: { headers: stated(httpStructured.headers), body: text(httpStructured.body) },
    kafka_binary: {
      headers: stated(kafkaBinary.headers),
      key: kafkaBinary.key,
      value: text(kafkaBinary.value),
    },
    kafka_structured: {
      headers: stated(kafkaStructured.headers),
      key: kafkaStructured.key,
      value: text(kafkaStructured.value),
    },
  };
});

process.stdout.write(`${JSON.stringify(made, null, 1)}\n`);
