import { useEffect, useState } from "react";

const Light = Object.freeze({
  RED: "red",
  GREEN: "green",
  YELLOW: "yellow",
});

function nextLight(light) {
  switch (light) {
    case Light.RED:
      return Light.GREEN;
    case Light.GREEN:
      return Light.YELLOW;
    case Light.YELLOW:
      return Light.RED;
  }
}

function seconds(light) {
  switch (light) {
    case Light.RED:
      return 30;
    case Light.GREEN:
      return 25;
    case Light.YELLOW:
      return 5;
  }
}

function schedule(light) {
  const changes = [];
  let elapsed = 0;
  do {
    changes.push({ elapsed, light });
    elapsed += seconds(light);
    light = nextLight(light);
  } while (elapsed <= 120);
  return changes;
}

export default function TrafficLight() {
  const [light, setLight] = useState(Light.RED);

  useEffect(() => {
    const timer = setTimeout(
      () => setLight(nextLight(light)),
      seconds(light) * 1000,
    );
    return () => clearTimeout(timer);
  }, [light]);

  return (
    <ul className={light}>
      {schedule(light).map((change) => (
        <li key={change.elapsed}>
          second {change.elapsed}: {change.light}
        </li>
      ))}
    </ul>
  );
}
