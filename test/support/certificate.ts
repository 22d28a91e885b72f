// A certificate that is thrown away after the test, signed by itself, for 127.0.0.1 and localhost.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** The certificate itself, for clients to trust. */
  readonly pem: string;
}

export function makeCertificate(folder: string): Certificate {
  const certificateFile = join(folder, "certificate.pem");
  const keyFile = join(folder, "key.pem");
  const names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
  const subject = ["-subj", "/CN=localhost", "-addext", names, "-days", "2"];
  try {
    execFileSync("openssl", ["req", "-x509", ...key, ...subject, "-out", certificateFile], { stdio: "pipe" });
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const message = isMissing
      ? "tests with TLS need openssl on the PATH (Debian: apt-get install openssl)"
      : "openssl made no certificate";
    throw new Error(message, { cause: error });
  }
  return { certificateFile, keyFile, pem: readFileSync(certificateFile, "utf8") };
}
