/**
 * Draws <div data-chart="id-of-json"> with ECharts as SVG. The JSON names kind, unit, x and series:
 *   {"kind": "line" | "bar" | "stacked", "unit": "mg/dL", "x": ["2026-01", …], "time": true,
 *    "series": [{"name": "…", "values": [1, null, …]}], "range": [low, high], "range_name": "…"}
 * With "time": true the x values are ISO dates, placed at their true distance.
 */
import { BarChart, LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, MarkAreaComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([LineChart, BarChart, GridComponent, TooltipComponent, LegendComponent, MarkAreaComponent, AriaComponent, SVGRenderer]);

const drawn = new Map();

/** Resolves a custom property to the colour that holds in the present theme (light-dark() included). */
function colour(name, near) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.className = `cl-probe-${name}`;
  near.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function option(data, element) {
  const text = colour("text-2", element);
  const line = colour("line", element);
  const numbers = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 });
  const dates = new Intl.DateTimeFormat(document.documentElement.lang, { year: "numeric", month: "2-digit", day: "2-digit" });
  const several = data.series.length > 1;
  const shown = (value) => (value == null ? "–" : `${numbers.format(value)}${data.unit ? ` ${data.unit}` : ""}`);

  const series = data.series.map((one, n) => ({
    name: one.name,
    type: data.kind === "line" ? "line" : "bar",
    stack: data.kind === "stacked" ? "all" : undefined,
    data: data.time ? one.values.map((value, at) => [data.x[at], value]) : one.values,
    showSymbol: one.values.length < 60,
    symbolSize: 7,
    symbol: ["circle", "rect", "triangle", "diamond", "emptyCircle"][n % 5],
    connectNulls: true,
    barMaxWidth: 36,
    lineStyle: { width: 2, type: ["solid", "dashed", "dotted"][n % 3] },
    markArea: n === 0 && data.range ? {
      silent: true,
      itemStyle: { color: colour("range", element) },
      label: { show: Boolean(data.range_name), formatter: data.range_name ?? "", position: "insideTopLeft", color: text, fontSize: 11 },
      data: [[{ yAxis: data.range[0] ?? "min" }, { yAxis: data.range[1] ?? "max" }]],
    } : undefined,
  }));

  return {
    animation: false,
    aria: { enabled: true },
    color: [1, 2, 3, 4, 5].map((n) => colour(`series-${n}`, element)),
    textStyle: { fontFamily: getComputedStyle(element).fontFamily, color: text },
    grid: { left: 8, right: 16, top: 14, bottom: several ? 30 : 6, containLabel: true },
    legend: several ? { bottom: 0, textStyle: { color: text }, itemWidth: 18, itemHeight: 9 } : undefined,
    tooltip: {
      trigger: "axis",
      renderMode: "richText", // the HTML kind writes style attributes as text, which the policy refuses
      confine: true,
      backgroundColor: colour("raised", element),
      borderColor: line,
      textStyle: { color: colour("text", element), fontSize: 13 },
      valueFormatter: shown,
    },
    xAxis: {
      type: data.time ? "time" : "category",
      data: data.time ? undefined : data.x,
      axisLabel: { color: text, hideOverlap: true },
      axisLine: { lineStyle: { color: line } },
      axisTick: { show: false },
      ...(data.time && { axisPointer: { label: { formatter: ({ value }) => dates.format(value) } } }),
    },
    yAxis: {
      type: "value",
      // nobody is half a visit
      minInterval: data.series.every((one) => one.values.every((value) => value == null || Number.isInteger(value))) ? 1 : undefined,
      scale: data.kind === "line",
      min: data.range ? (extent) => Math.min(extent.min, data.range[0] ?? extent.min) : undefined,
      max: data.range ? (extent) => Math.max(extent.max, data.range[1] ?? extent.max) : undefined,
      axisLabel: { color: text, formatter: (value) => numbers.format(value) },
      splitLine: { lineStyle: { color: line } },
    },
    series,
  };
}

export function draw(element) {
  const data = JSON.parse(document.getElementById(element.dataset.chart).textContent);
  let entry = drawn.get(element);
  if (!entry) {
    const chart = init(element, null, { renderer: "svg" });
    const resize = new ResizeObserver(() => chart.resize());
    resize.observe(element);
    entry = { chart, resize };
    drawn.set(element, entry);
  }
  entry.chart.setOption(option(data, element), true);
}

// Fragments come and go: let go of charts that left the page, and draw the rest anew when the colours change.
function tidy(redraw) {
  for (const [element, { chart, resize }] of drawn) {
    if (!element.isConnected) {
      resize.disconnect();
      chart.dispose();
      drawn.delete(element);
    } else if (redraw) draw(element);
  }
}
document.addEventListener("htmx:load", () => tidy(false));
document.addEventListener("careloop:theme", () => tidy(true));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => tidy(true));
