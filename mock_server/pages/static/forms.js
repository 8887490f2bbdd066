// Forms: a question before what destroys, and a choice that is taken at once. Without this file the server asks.

document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = form.dataset.confirm;
  if (!question || form.elements.confirmed) {
    return;
  }
  event.preventDefault();
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  const answers = document.createElement("form");
  text.id = "question";
  text.textContent = question;
  dialog.setAttribute("aria-labelledby", "question");
  answers.method = "dialog";
  answers.className = "buttons";
  for (const [value, label, look] of [["yes", "Yes, do it", "danger"], ["no", "No", ""]]) {
    const button = document.createElement("button");
    Object.assign(button, { value, textContent: label, className: look, autofocus: value === "no" });
    answers.append(button);
  }
  dialog.append(text, answers);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue === "yes") {
      const confirmed = document.createElement("input");
      Object.assign(confirmed, { type: "hidden", name: "confirmed", value: "yes" });
      form.append(confirmed);
      form.requestSubmit(event.submitter);
    }
  });
  document.body.append(dialog);
  dialog.showModal();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) {
    event.target.form.requestSubmit();
  }
});
