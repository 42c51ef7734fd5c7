// The bundler takes style sheets along; to the types they are nothing.
declare module '*.css';
