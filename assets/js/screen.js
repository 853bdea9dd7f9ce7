/** A screen of the waiting room: asks every second and a half, reads new calls aloud, and comes back by itself after any failure. */
const body = document.body;
const shown = document.getElementById("screen");
const clock = document.querySelector(".cl-tv-clock");
const offline = document.querySelector(".cl-tv-offline");
const sound = document.querySelector(".js-sound");
const EVERY = 1500;
const LONGEST_PAUSE = 15000;

let etag = "";
let failures = 0;
let heard = lastCall();
let speaks = false;
let audio;

function calls() {
  return [...shown.querySelectorAll("[data-call]")].map((one) => ({ id: Number(one.dataset.call), say: one.dataset.say, item: one }));
}

function lastCall() {
  return Math.max(0, ...calls().map((one) => one.id));
}

async function ask() {
  try {
    const answer = await fetch(body.dataset.now, { cache: "no-store", headers: etag ? { "If-None-Match": etag } : {} });
    if (answer.status === 404) return location.reload(); // the link was ended: the page says so
    if (!answer.ok && answer.status !== 304) throw new Error(String(answer.status));
    if (answer.status === 200) {
      etag = answer.headers.get("ETag") ?? "";
      shown.innerHTML = await answer.text();
      announce();
    }
    failures = 0;
    offline.hidden = true;
  } catch {
    failures += 1;
    offline.hidden = failures < 3;
  }
  setTimeout(ask, Math.min(EVERY * 2 ** Math.min(failures, 4), LONGEST_PAUSE));
}

/** Reads aloud what was called since the last look, oldest first. */
function announce() {
  const fresh = calls().filter((one) => one.id > heard).sort((one, other) => one.id - other.id);
  heard = Math.max(heard, lastCall());
  for (const one of fresh) one.item.classList.add("is-new");
  if (!speaks || !fresh.length) return;
  chime();
  for (const one of fresh) for (let twice = 0; twice < 2; twice++) say(one.say);
}

function say(text) {
  const words = new SpeechSynthesisUtterance(text);
  words.lang = body.dataset.voice;
  words.rate = 0.9;
  const voices = speechSynthesis.getVoices();
  const language = body.dataset.voice.slice(0, 2);
  words.voice = voices.find((one) => one.lang.replace("_", "-") === body.dataset.voice) ?? voices.find((one) => one.lang.startsWith(language)) ?? null;
  speechSynthesis.speak(words);
}

/** Two notes before the words, so that people look up. */
function chime() {
  if (!audio) return;
  for (const [at, pitch] of [[0, 880], [0.25, 660]]) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.25, audio.currentTime + at);
    volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + at + 0.6);
    tone.connect(volume).connect(audio.destination);
    tone.start(audio.currentTime + at);
    tone.stop(audio.currentTime + at + 0.6);
  }
}

async function stayAwake() {
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // some televisions have no such thing; they do not sleep either
  }
}

if (sound && "speechSynthesis" in window) {
  // browsers let a page speak only after somebody pressed something on it once
  sound.hidden = false;
  sound.addEventListener("click", () => {
    speaks = true;
    audio = new AudioContext();
    chime();
    speechSynthesis.getVoices();
    sound.hidden = true;
    document.documentElement.requestFullscreen?.().catch(() => {});
    stayAwake();
  });
}
document.addEventListener("visibilitychange", () => speaks && !document.hidden && stayAwake());

function tick() {
  clock.textContent = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: body.dataset.zone }).format(new Date());
}
tick();
setInterval(tick, 5000);
setTimeout(ask, EVERY);
