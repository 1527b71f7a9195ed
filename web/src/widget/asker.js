// Questions to Python, and the traits of a widget.
import { useEffect, useState } from "../core.js";

const MAX_KEPT = 100; // answers, most of which contain pictures

/** Returns a function that sends a question to Python and returns a promise of the answer; the latest answers are kept. */
export function asker(model) {
  const waiting = new Map();
  const answers = new Map();
  const prefix = Math.random().toString(36).slice(2); // several views of a model receive all answers
  let count = 0;
  const receive = ({ id, text, error }) => {
    const question = waiting.get(id);
    if (!question) return;
    waiting.delete(id);
    if (error === undefined) question.resolve(JSON.parse(text));
    else question.reject(new Error(error));
  };
  model.on("msg:custom", receive);
  const ask = (name, values = {}) => {
    const key = JSON.stringify([name, values]);
    if (!answers.has(key)) {
      const answer = new Promise((resolve, reject) => {
        const id = `${prefix}${++count}`;
        waiting.set(id, { resolve, reject });
        model.send({ id, ask: name, values });
      });
      answer.catch(() => answers.delete(key));
      answers.set(key, answer);
      if (answers.size > MAX_KEPT) answers.delete(answers.keys().next().value);
    }
    return answers.get(key);
  };
  ask.stop = () => model.off("msg:custom", receive);
  return ask;
}

/** Hook: the value of a trait, and a function that changes it here and in Python. */
export function useTrait(model, name) {
  const [value, setValue] = useState(() => model.get(name));
  useEffect(() => {
    const update = () => setValue(model.get(name));
    model.on(`change:${name}`, update);
    return () => model.off(`change:${name}`, update);
  }, [model, name]);
  const change = (next) => {
    model.set(name, next);
    model.save_changes();
    setValue(next);
  };
  return [value, change];
}
