import { mount } from "./softphone.js";

mount(document.getElementById("phone"), null);
