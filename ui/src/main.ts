import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/overlays.css";
import "./styles/strip.css";
import { mount } from "svelte";
import { open } from "#host";
import { App } from "./app/app";
import Root from "./screens/Root.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("the page has no place for the app");

mount(Root, { target, props: { app: new App(open()) } });
