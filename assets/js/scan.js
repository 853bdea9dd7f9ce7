/**
 * <form data-scanner> with a text field, a <button data-scan hidden> and a <video data-scan-picture hidden>: where the browser can
 * read codes (BarcodeDetector) and there is a camera, the button shows; what the camera reads is put into the field and sent.
 * Everybody else types, or uses a scanner that types.
 */
const EVERY = 200; // milliseconds between two looks at the picture

for (const form of document.querySelectorAll("form[data-scanner]")) {
  const button = form.querySelector("[data-scan]");
  const picture = form.querySelector("[data-scan-picture]");
  const field = form.querySelector("input[type=text]");
  if (!button || !picture || !field || !("BarcodeDetector" in window) || !navigator.mediaDevices?.getUserMedia) continue;
  button.hidden = false;
  let stream = null;

  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    picture.hidden = true;
  };

  const look = async (detector) => {
    if (!stream) return;
    const [found] = await detector.detect(picture).catch(() => []);
    if (found) {
      stop();
      field.value = found.rawValue;
      form.requestSubmit();
      return;
    }
    setTimeout(() => look(detector), EVERY);
  };

  button.addEventListener("click", async () => {
    if (stream) return stop();
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      button.hidden = true; // refused, or none there: the field is enough
      return;
    }
    picture.srcObject = stream;
    picture.hidden = false;
    await picture.play();
    look(new BarcodeDetector({ formats: ["qr_code"] }));
  });
  window.addEventListener("pagehide", stop);
}
